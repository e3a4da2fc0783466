// One lane's copy of the three tables of phi. A code looked up in cycle c has its
// byte in c + 1. It masks nothing.
module linear_phi #(
  parameter int unsigned Lanes = 4,
  parameter int unsigned Words = (256 + Lanes - 1) / Lanes,
  parameter int unsigned AddrW = $clog2(3 * Words)
) (
  input  logic               clk_i,
  input  logic               write_i,
  input  logic [  AddrW-1:0] write_addr_i,
  input  logic [Lanes*8-1:0] write_data_i,
  input  logic               read_i,
  input  logic [  AddrW-1:0] base_i,       // Of the table.
  input  logic [        7:0] code_i /* verilator public_flat_rd */,
  output logic [        7:0] phi_o
);
  /* verilator no_inline_module */

  localparam int unsigned LaneW = $clog2(Lanes);
  // entry / Lanes = entry * Inverse / 2^16 for all entries below 256.
  localparam int unsigned Inverse = (65536 + Lanes - 1) / Lanes;

  // Entry code + 128, its word and its place there.
  logic [7:0] entry, word;
  logic [LaneW-1:0] place, place_q;
  logic [Lanes*8-1:0] read_data;
  logic [AddrW-1:0] read_addr;
  assign entry = code_i ^ 8'h80;
  assign word = 8'((24'(entry) * 24'(Inverse)) >> 16);
  assign place = LaneW'(entry - word * 8'(Lanes));
  assign read_addr = base_i + AddrW'(word);

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
    .write_data_i,
    .read_i,
    .read_addr_i (read_addr),
    .read_data_o (read_data)
  );
  assign phi_o = read_data[8*place_q+:8];

endmodule
