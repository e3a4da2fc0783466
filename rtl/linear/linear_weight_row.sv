// One row of codes, kept, times every query: a score of the chunk or a weight
// of the relative positions. Numbers in port names are the engine's stages: a
// row's beat is written in stage 8, a query's beat multiplied there, the sum over
// the query's beats out in stage 13. It masks nothing.
module linear_weight_row #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned Beats  = 1,
  parameter int unsigned SumW   = 24,
  parameter bit          Signed = 1,  // Lane 1 is signed when damf_i is set.
  parameter int unsigned BeatW  = (Beats > 1) ? $clog2(Beats) : 1
) (
  input  logic               clk_i,
  input  logic               damf_i,
  input  logic               read_7_i,
  input  logic [  BeatW-1:0] beat_7_i,
  input  logic               write_8_i /* verilator public_flat_rd */,
  input  logic [  BeatW-1:0] beat_8_i,
  input  logic [Lanes*8-1:0] codes_8_i,
  input  logic [       12:8] valid_i,    // The query's beat, by stage.
  input  logic               first_12_i,
  output logic [   SumW-1:0] sum_13_o
);
  /* verilator no_inline_module */

  localparam int unsigned Groups1 = (Lanes + 3) / 4;
  localparam int unsigned Groups2 = (Groups1 + 3) / 4;
  localparam int unsigned Sum1W = 19;
  localparam int unsigned Sum2W = (Groups1 > 1) ? Sum1W + 2 : Sum1W;
  localparam int unsigned TreeW = (Groups2 > 1) ? Sum2W + 2 : Sum2W;
  localparam int unsigned Sum3W = (TreeW < SumW) ? TreeW : SumW;

  logic [Lanes*8-1:0] row;
  prim_sram #(
    .Width(Lanes * 8),
    .Depth(Beats)
  ) u_row (
    .clk_i,
    .write_i     (write_8_i),
    .write_addr_i(beat_8_i),
    .write_data_i(codes_8_i),
    .read_i      (read_7_i),
    .read_addr_i (beat_7_i),
    .read_data_o (row)
  );

  logic signed [16:0] product_q[Lanes];
  logic signed [Sum1W-1:0] sum_1_q[Groups1];
  logic signed [Sum2W-1:0] sum_2_q[Groups2];
  logic signed [Sum3W-1:0] sum_3_q;
  logic signed [SumW-1:0] sum_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[8]) begin
      for (int unsigned lane = 0; lane < Lanes; lane++) begin
        product_q[lane] <=
            17'($signed({Signed && damf_i && lane == 1 && codes_8_i[8*lane+7],
                         codes_8_i[8*lane+:8]})) *
            17'($signed({Signed && damf_i && lane == 1 && row[8*lane+7], row[8*lane+:8]}));
      end
    end
  end

  logic signed [Sum1W-1:0] sum_1[Groups1];
  logic signed [Sum2W-1:0] sum_2[Groups2];
  logic signed [Sum3W-1:0] sum_3;
  always_comb begin
    for (int unsigned g = 0; g < Groups1; g++) begin
      sum_1[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < Lanes) sum_1[g] = sum_1[g] + Sum1W'(product_q[4*g+i]);
    end
  end
  always_comb begin
    for (int unsigned g = 0; g < Groups2; g++) begin
      sum_2[g] = '0;
      for (int unsigned i = 0; i < 4; i++)
        if (4 * g + i < Groups1) sum_2[g] = sum_2[g] + Sum2W'(sum_1_q[4*g+i]);
    end
  end
  always_comb begin
    sum_3 = '0;
    for (int unsigned i = 0; i < Groups2; i++) sum_3 = sum_3 + Sum3W'(sum_2_q[i]);
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[9]) for (int unsigned g = 0; g < Groups1; g++) sum_1_q[g] <= sum_1[g];
    if (valid_i[10]) for (int unsigned g = 0; g < Groups2; g++) sum_2_q[g] <= sum_2[g];
    if (valid_i[11]) sum_3_q <= sum_3;
    if (valid_i[12]) sum_q <= (first_12_i ? '0 : sum_q) + SumW'(sum_3_q);
  end

  assign sum_13_o = sum_q;

endmodule
