// One column of V: its buffer, a multiplier per lane, the adder tree over the
// lanes, the running sum of a row, and its out. K of a beat in cycle c; its row's
// out, if the row ends there, in c + 7: multiply (2), tree (3), accumulate (1),
// round and saturate (1). V is read in c - 1. It never stalls; stages whose bit
// of `active_i` is 0 hold.
module sinkhorn_apply_column #(
  parameter int unsigned Lanes    = 4,
  parameter int unsigned MaxLines = 512,
  parameter int unsigned Parts    = (MaxLines + Lanes - 1) / Lanes,
  parameter int unsigned PartW    = (Parts > 1) ? $clog2(Parts) : 1,
  parameter int unsigned BitW     = $clog2(Lanes * 20)
) (
  input  logic                       clk_i,
  // A code of V, 1, 2 or 4 bytes wide, and where its lane's 20 bits begin.
  input  logic                       write_i,
  input  logic        [    BitW-1:0] bit_i,
  input  logic        [         1:0] value_size_i,
  input  logic        [         7:0] byte_i,
  input  logic        [        15:0] half_i,
  input  logic        [        19:0] word_i,
  input  logic                       inside_i,  // The column is one of V's.
  input  logic                       read_i,
  input  logic        [   PartW-1:0] part_i,  // Of the write or the read.
  input  logic        [Lanes*32-1:0] kernel_i,
  input  logic        [         6:0] active_i,  // Of a beat's stages, first in bit 0.
  input  logic                       first_i,  // In c + 5: the row's first beat.
  output logic signed [        31:0] out_o
);
  /* verilator no_inline_module */

  localparam int unsigned CodeW = 20;
  // |K| < 2^31, |V| <= 2^19: a product's magnitude is below 2^50.
  localparam int unsigned ProductW = 31 + CodeW;
  localparam int unsigned Fours = (Lanes + 3) / 4;
  localparam int unsigned Sixteens = (Lanes + 15) / 16;
  localparam int unsigned BeatW = ProductW + $clog2(Lanes);
  localparam int unsigned SumW = ProductW + $clog2(MaxLines);
  localparam int unsigned RoundW = SumW - 16;

  logic [CodeW-1:0] code;
  always_comb begin
    unique case (value_size_i)
      2'd0: code = CodeW'($signed(byte_i));
      2'd1: code = CodeW'($signed(half_i));
      default: code = word_i;
    endcase
    if (!inside_i) code = '0;
  end

  logic [Lanes*CodeW-1:0] values;
  sinkhorn_value_sram #(
    .Lanes(Lanes),
    .CodeW(CodeW),
    .Depth(Parts)
  ) u_values (
    .clk_i,
    .write_i,
    .write_addr_i(part_i),
    .write_bit_i (bit_i),
    .write_data_i(code),
    .read_i,
    .read_addr_i (part_i),
    .read_data_o (values)
  );

  // ------------------------------------------------ multiply

  // Both halves of V apart, so that a multiplier fits a stage.
  logic signed [41:0] low_q[Lanes];
  logic signed [40:0] high_q[Lanes];
  logic signed [ProductW-1:0] product_q[Lanes];

  always_ff @(posedge clk_i) begin
    for (int unsigned lane = 0; lane < Lanes; lane++) begin
      if (active_i[0]) begin
        low_q[lane] <= 42'($signed(kernel_i[lane*32+:32])) *
                       42'($signed({1'b0, values[lane*CodeW+:10]}));
        high_q[lane] <= 41'($signed(kernel_i[lane*32+:32])) *
                        41'($signed(values[lane*CodeW+10+:10]));
      end
      if (active_i[1]) product_q[lane] <= {high_q[lane], 10'b0} + ProductW'(low_q[lane]);
    end
  end

  // ------------------------------------------------ adder tree

  logic signed [BeatW-1:0] four[Fours], four_q[Fours];
  logic signed [BeatW-1:0] sixteen[Sixteens], sixteen_q[Sixteens];
  logic signed [BeatW-1:0] beat, beat_q;

  always_comb begin
    for (int unsigned i = 0; i < Fours; i++) four[i] = '0;
    for (int unsigned i = 0; i < Sixteens; i++) sixteen[i] = '0;
    beat = '0;
    for (int unsigned i = 0; i < Lanes; i++) four[i/4] = four[i/4] + BeatW'(product_q[i]);
    for (int unsigned i = 0; i < Fours; i++) sixteen[i/4] = sixteen[i/4] + four_q[i];
    for (int unsigned i = 0; i < Sixteens; i++) beat = beat + sixteen_q[i];
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Fours; i++) if (active_i[2]) four_q[i] <= four[i];
    for (int unsigned i = 0; i < Sixteens; i++) if (active_i[3]) sixteen_q[i] <= sixteen[i];
    if (active_i[4]) beat_q <= beat;
  end

  // ------------------------------------------------ accumulate, round

  logic signed [SumW-1:0] sum_q;
  logic signed [RoundW-1:0] rounded;
  logic up, fits;
  assign up = sum_q[15] && ((|sum_q[14:0]) || sum_q[16]);
  assign rounded = $signed(sum_q[SumW-1:16]) + RoundW'(up);
  assign fits = (&rounded[RoundW-1:31]) || !(|rounded[RoundW-1:31]);

  always_ff @(posedge clk_i) begin
    if (active_i[5]) sum_q <= (first_i ? '0 : sum_q) + SumW'(beat_q);
    if (active_i[6]) out_o <= fits ? rounded[31:0] : {rounded[RoundW-1], {31{!rounded[RoundW-1]}}};
  end

endmodule
