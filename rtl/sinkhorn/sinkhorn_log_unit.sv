// A finished line sum of the scaling form to its next scaling (six cycles) and
// the residual of the state before (ten): solve_line() of
// hw/engines/sinkhorn, LogSum::logarithm() of model/numerics/logarithm.h. A line
// without a term keeps its scaling. Never stalls; carries no valid.
module sinkhorn_log_unit #(
  parameter int unsigned SumW = 43
) (
  input  logic                   clk_i,
  input  logic                   damped_i,
  input  logic signed     [20:0] target_i,  // Four cycles after the sum.
  input  logic            [SumW-1:0] sum_i,
  input  logic signed     [16:0] octave_i,
  input  logic signed     [31:0] old_i,
  output logic signed     [31:0] next_o,
  output logic            [30:0] residual_o
);
  /* verilator no_inline_module */

  localparam int unsigned LeadW = $clog2(SumW);

  // ------------------------------------------------ 1: leading one

  logic [LeadW-1:0] lead, lead_1_q;
  logic [SumW-1:0] sum_1_q;
  logic signed [16:0] octave_1_q;
  logic signed [31:0] old_q[1:5];
  logic [9:1] empty_q;
  prim_leading_one #(
    .Width(SumW)
  ) u_lead (
    .value_i(sum_i),
    .index_o(lead)
  );

  always_ff @(posedge clk_i) begin
    lead_1_q <= lead;
    sum_1_q <= sum_i;
    octave_1_q <= octave_i;
    empty_q <= {empty_q[8:1], sum_i == '0};
    old_q[1] <= old_i;
    for (int unsigned k = 2; k <= 5; k++) old_q[k] <= old_q[k-1];
  end

  // ------------------------------------------------ 2: the 16 bits below it

  // A sum that has a term has its leading one at bit 29 or above.
  logic [SumW-1:0] normal;
  logic unused;
  assign unused = &{1'b0, normal[SumW-1], normal[SumW-18:0]};
  logic [15:0] below_2_q;
  logic signed [17:0] exponent_2_q, exponent_3_q;
  assign normal = sum_1_q << (LeadW'(SumW - 1) - lead_1_q);
  always_ff @(posedge clk_i) begin
    below_2_q <= normal[SumW-2-:16];
    exponent_2_q <= 18'(octave_1_q) - 18'sd29 + 18'($signed({1'b0, lead_1_q}));
  end

  // ------------------------------------------------ 3, 4: table, interpolation

  logic [15:0] value, value_3_q;
  logic [8:0] step, step_3_q;
  logic [7:0] offset_3_q;
  sinkhorn_logarithm_table u_table (
    .index_i(below_2_q[15:8]),
    .value_o(value),
    .step_o (step)
  );
  logic [16:0] product;
  logic [8:0] part;
  logic signed [33:0] logarithm_4_q;
  assign product = 17'(step_3_q) * 17'(offset_3_q);
  assign part = product[16:8] + 9'(product[7] && (|product[6:0] || product[8]));
  always_ff @(posedge clk_i) begin
    value_3_q <= value;
    step_3_q <= step;
    offset_3_q <= below_2_q[7:0];
    exponent_3_q <= exponent_2_q;
    logarithm_4_q <= {exponent_3_q, 16'b0} + 34'({17'b0, 17'(value_3_q) + 17'(part)});
  end

  // ------------------------------------------------ 5, 6: next scaling

  logic signed [34:0] solved_5_q;
  logic signed [35:0] sum_of_both, halved, next, difference_6_q;
  logic fits;
  assign sum_of_both = 36'(old_q[5]) + 36'(solved_5_q);
  assign halved = (sum_of_both >>> 1) + 36'($signed({1'b0, sum_of_both[0] && sum_of_both[1]}));
  assign next = damped_i ? halved : 36'(solved_5_q);
  assign fits = (&next[35:31]) || !(|next[35:31]);
  always_ff @(posedge clk_i) begin
    solved_5_q <= 35'(target_i) - 35'(logarithm_4_q);
    difference_6_q <= 36'(old_q[5]) - 36'(solved_5_q);
    if (empty_q[5]) next_o <= old_q[5];
    else if (fits) next_o <= next[31:0];
    else next_o <= {next[35], {31{!next[35]}}};
  end

  // ------------------------------------------------ 7..10: residual

  logic [16:0] fraction;
  logic signed [19:0] octave;
  logic [30:0] ratio;
  sinkhorn_power #(
    .XW(36)
  ) u_power (
    .clk_i,
    .x_i       (difference_6_q),
    .fraction_o(fraction),
    .octave_o  (octave)
  );
  sinkhorn_power_code #(
    .FractionBits(16),
    .OctaveW     (20)
  ) u_code (
    .clk_i,
    .fraction_i(fraction),
    .octave_i  (octave),
    .code_o    (ratio)
  );
  logic signed [31:0] away;
  assign away = $signed({1'b0, ratio}) - 32'sd65536;
  always_ff @(posedge clk_i) begin
    if (empty_q[9]) residual_o <= '0;
    else residual_o <= away[31] ? 31'(-away) : away[30:0];
  end

endmodule
