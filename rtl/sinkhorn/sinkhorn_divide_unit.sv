// A finished line sum of held K to its next scaling, a packed reciprocal (nine
// cycles), and the residual of the state before (ten): HeldBlock::solve_lines()
// of hw/engines/sinkhorn. A line that sees nothing keeps its scaling. Never
// stalls; carries no valid; does not count what it clamps.
module sinkhorn_divide_unit (
  input  logic        clk_i,
  input  logic        en_i,
  input  logic        column_4_i,   // Four cycles after the sum.
  input  logic [15:0] mantissa_i,   // Of m / n, for columns.
  input  logic [ 5:0] shift_i,
  input  logic [45:0] sum_i,
  input  logic        blind_i,
  input  logic [22:0] old_i,        // Shift, mantissa.
  output logic [31:0] next_o,
  output logic [30:0] residual_o
);
  /* verilator no_inline_module */

  localparam int unsigned SumW = 46;

  // ------------------------------------------------ 1, 2: times m / n

  logic [SumW-1:0] sum, sum_q[1:4];
  logic [22:0] old_q[1:9];
  logic [9:1] blind_q;
  logic [SumW+7:0] low_1_q, high_1_q;
  logic [SumW+15:0] product_2_q;
  assign sum = {sum_i[SumW-1:1], sum_i[0] || sum_i == '0};
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      low_1_q <= (SumW + 8)'(sum) * (SumW + 8)'(mantissa_i[7:0]);
      high_1_q <= (SumW + 8)'(sum) * (SumW + 8)'(mantissa_i[15:8]);
      sum_q[1] <= sum;
      old_q[1] <= old_i;
    end
    blind_q <= {blind_q[8:1], blind_i};
    product_2_q <= (SumW + 16)'(low_1_q) + {high_1_q, 8'b0};
    for (int unsigned k = 2; k <= 4; k++) sum_q[k] <= sum_q[k-1];
    for (int unsigned k = 2; k <= 9; k++) old_q[k] <= old_q[k-1];
  end

  // ------------------------------------------------ 3, 4: round; 5: clamp

  logic signed [SumW:0] share;  // At most 2^46 - 1.
  logic [SumW-1:0] sum_5_q;
  prim_round_shift #(
    .InW (SumW + 17),
    .OutW(SumW + 1)
  ) u_share (
    .clk_i,
    .value_i({1'b0, product_2_q}),
    .shift_i,
    .value_o(share)
  );
  always_ff @(posedge clk_i) begin
    sum_5_q <= sum_q[4];
    if (column_4_i) sum_5_q <= {share[SumW-1:1], share[0] || share == '0};
  end

  // ------------------------------------------------ 6..9: reciprocal

  logic [16:0] mantissa;
  logic [5:0] shift;
  prim_reciprocal #(
    .Width(SumW)
  ) u_reciprocal (
    .clk_i,
    .value_i   (sum_5_q),
    .mantissa_o(mantissa),
    .shift_o   (shift)
  );
  always_comb begin
    next_o = {2'b0, shift, 7'b0, mantissa};
    if (blind_q[9]) next_o = {2'b0, old_q[9][22:17], 7'b0, old_q[9][16:0]};
  end

  // ------------------------------------------------ 6..10: residual

  // A left shift by 16 of the code's fraction, less the scaling's: shifts are
  // 16 at least.
  logic [SumW+7:0] low_6_q;
  logic [SumW+8:0] high_6_q;
  logic [SumW+16:0] product_7_q;
  logic signed [32:0] ratio;  // At most 2^32 - 1: its distance is clamped anyway.
  logic signed [33:0] away;
  logic [32:0] distance;
  prim_round_shift #(
    .InW (SumW + 18),
    .OutW(33)
  ) u_ratio (
    .clk_i,
    .value_i({1'b0, product_7_q}),
    .shift_i(old_q[7][22:17] - 6'd16),
    .value_o(ratio)
  );
  assign away = 34'(ratio) - 34'sd65536;
  assign distance = away[33] ? 33'(-away) : away[32:0];
  always_ff @(posedge clk_i) begin
    low_6_q <= (SumW + 8)'(sum_5_q) * (SumW + 8)'(old_q[5][7:0]);
    high_6_q <= (SumW + 9)'(sum_5_q) * (SumW + 9)'(old_q[5][16:8]);
    product_7_q <= (SumW + 17)'(low_6_q) + {high_6_q, 8'b0};
    if (blind_q[9]) residual_o <= '0;
    else if (|distance[32:31]) residual_o <= '1;
    else residual_o <= distance[30:0];
  end

endmodule
