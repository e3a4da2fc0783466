// One lane of the collapsed form: its sums of V and of t V, their copies, and
// A_max * sum V + s * sum t V for a row, in the cycles of damf_collapse. It
// keeps no flags: what counts and when comes with each key.
module damf_collapse_lane #(
  parameter int unsigned TokenW = 10,
  parameter int unsigned AccW   = 35
) (
  input  logic                   clk_i,
  input  logic                   clamp_i,
  input  logic                   causal_i,
  input  logic signed [     7:0] key_t_i,
  input  logic signed [     7:0] value_i,
  // The key of the cycle before.
  input  logic                   add_i,
  input  logic                   first_i,
  input  logic                   positive_i,
  input  logic                   complete_i,
  input  logic                   select_positive_i,
  input  logic signed [     7:0] s_i,
  input  logic signed [    15:0] a_max_i,
  output logic signed [AccW-1:0] sum_o
);

  localparam int unsigned PlainW = 8 + TokenW;  // N * 2^7
  localparam int unsigned WeightedW = 16 + TokenW;  // N * 2^14, both signs

  logic signed [7:0] value_q;
  logic signed [15:0] product_q;
  logic signed [PlainW-1:0] plain_q, plain_copy_q, plain, plain_selected_q;
  logic signed [WeightedW-1:0] positive_sum_q, negative_sum_q;
  logic signed [WeightedW-1:0] positive_copy_q, negative_copy_q;
  logic signed [WeightedW-1:0] positive, negative, weighted_q;
  logic signed [AccW-1:0] from_plain_q, from_weighted_q;
  assign plain = causal_i ? plain_q : plain_copy_q;
  assign positive = causal_i ? positive_sum_q : positive_copy_q;
  assign negative = causal_i ? negative_sum_q : negative_copy_q;
  always_ff @(posedge clk_i) begin
    value_q <= value_i;
    product_q <= key_t_i * value_i;
    if (add_i) begin
      plain_q <= (first_i ? '0 : plain_q) + PlainW'(value_q);
      positive_sum_q <= (first_i ? '0 : positive_sum_q) +
                        (positive_i ? WeightedW'(product_q) : '0);
      negative_sum_q <= (first_i ? '0 : negative_sum_q) +
                        (positive_i ? '0 : WeightedW'(product_q));
    end
    if (complete_i) begin
      plain_copy_q <= plain_q;
      positive_copy_q <= positive_sum_q;
      negative_copy_q <= negative_sum_q;
    end
    plain_selected_q <= plain;
    if (clamp_i) weighted_q <= select_positive_i ? positive : negative;
    else weighted_q <= positive + negative;
    from_plain_q <= AccW'(a_max_i) * AccW'(plain_selected_q);
    from_weighted_q <= AccW'(s_i) * AccW'(weighted_q);
    sum_o <= from_plain_q + from_weighted_q;
  end

endmodule
