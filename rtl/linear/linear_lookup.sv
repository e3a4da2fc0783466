// phi of a beat's codes by three tables of 256 bytes, a copy for each lane.
// A beat looked up in cycle c has its bytes in c + 1. Tables are written a
// beat at a time, in the order in which they come. It masks no lane.
module linear_lookup #(
  parameter int unsigned Lanes = 4,
  parameter int unsigned Words = (256 + Lanes - 1) / Lanes,
  parameter int unsigned AddrW = $clog2(3 * Words)
) (
  input  logic               clk_i,
  input  logic               write_i,
  input  logic [  AddrW-1:0] write_addr_i,
  input  logic               read_i,
  input  logic [        1:0] table_i,
  input  logic [Lanes*8-1:0] beat_i,
  output logic [Lanes*8-1:0] bytes_o
);

  localparam int unsigned LaneW = $clog2(Lanes);
  // entry / Lanes = entry * Inverse / 2^16 for all entries below 256.
  localparam int unsigned Inverse = (65536 + Lanes - 1) / Lanes;

  logic [AddrW-1:0] base;
  always_comb begin
    unique case (table_i)
      2'd1: base = AddrW'(Words);
      2'd2: base = AddrW'(2 * Words);
      default: base = '0;
    endcase
  end

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    // Entry code + 128, its word and its place there.
    logic [7:0] entry, word;
    logic [LaneW-1:0] place, place_q;
    logic [Lanes*8-1:0] read_data;
    assign entry = beat_i[lane*8+:8] ^ 8'h80;
    assign word = 8'((24'(entry) * 24'(Inverse)) >> 16);
    assign place = LaneW'(entry - word * 8'(Lanes));
    always_ff @(posedge clk_i) begin
      if (read_i) place_q <= place;
    end
    prim_sram #(
      .Width(Lanes * 8),
      .Depth(3 * Words)
    ) u_tables (
      .clk_i,
      .write_i,
      .write_addr_i,
      .write_data_i(beat_i),
      .read_i,
      .read_addr_i (base + AddrW'(word)),
      .read_data_o (read_data)
    );
    assign bytes_o[lane*8+:8] = read_data[8*place_q+:8];
  end

endmodule
