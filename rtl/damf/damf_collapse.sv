// The collapsed form: running sums of V and of t V (by the sign of t), and
// A_max * sum V + s * sum t V for a row. A key at its input in cycle c is in
// the sums in c + 2, in their copy in c + 3 if it was the last; a row whose s
// is selected in cycle r has its combined sums in r + 3. Never stalls.
module damf_collapse #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned TokenW = 10,
  parameter int unsigned AccW   = 35
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clamp_i,
  input  logic                  causal_i,
  input  logic                  key_valid_i,
  input  logic                  key_first_i,
  input  logic                  key_last_i,
  input  logic signed    [ 7:0] key_t_i,
  input  logic    [Lanes*8-1:0] values_i,
  input  logic signed    [ 7:0] select_s_i,
  input  logic signed    [ 7:0] combine_s_i,
  input  logic signed    [15:0] combine_a_max_i,
  input  logic                  combine_uniform_i,
  output logic [Lanes*AccW-1:0] sums_o
);

  localparam int unsigned PlainW = 8 + TokenW;  // N * 2^7
  localparam int unsigned WeightedW = 16 + TokenW;  // N * 2^14, both signs

  logic valid_q, first_q, last_q, complete_q, positive_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {valid_q, complete_q} <= '0;
    else begin
      valid_q <= key_valid_i;
      complete_q <= valid_q && last_q;
    end
  end
  always_ff @(posedge clk_i) begin
    first_q <= key_first_i;
    last_q <= key_last_i;
    positive_q <= key_t_i > 0;
  end

  logic signed [15:0] a_max;
  logic signed [7:0] s;
  assign a_max = combine_uniform_i ? 16'sd1 : combine_a_max_i;
  assign s = combine_uniform_i ? '0 : combine_s_i;

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    logic signed [7:0] value, value_q;
    logic signed [15:0] product_q;
    logic signed [PlainW-1:0] plain_q, plain_copy_q, plain, plain_selected_q;
    logic signed [WeightedW-1:0] positive_sum_q, negative_sum_q;
    logic signed [WeightedW-1:0] positive_copy_q, negative_copy_q;
    logic signed [WeightedW-1:0] positive, negative, weighted_q;
    logic signed [AccW-1:0] from_plain_q, from_weighted_q, sum_q;
    assign value = values_i[lane*8+:8];
    assign plain = causal_i ? plain_q : plain_copy_q;
    assign positive = causal_i ? positive_sum_q : positive_copy_q;
    assign negative = causal_i ? negative_sum_q : negative_copy_q;
    always_ff @(posedge clk_i) begin
      value_q <= value;
      product_q <= key_t_i * value;
      if (valid_q) begin
        plain_q <= (first_q ? '0 : plain_q) + PlainW'(value_q);
        positive_sum_q <= (first_q ? '0 : positive_sum_q) +
                          (positive_q ? WeightedW'(product_q) : '0);
        negative_sum_q <= (first_q ? '0 : negative_sum_q) +
                          (positive_q ? '0 : WeightedW'(product_q));
      end
      if (complete_q) begin
        plain_copy_q <= plain_q;
        positive_copy_q <= positive_sum_q;
        negative_copy_q <= negative_sum_q;
      end
      plain_selected_q <= plain;
      if (clamp_i) weighted_q <= (select_s_i > 0) ? positive : negative;
      else weighted_q <= positive + negative;
      from_plain_q <= AccW'(a_max) * AccW'(plain_selected_q);
      from_weighted_q <= AccW'(s) * AccW'(weighted_q);
      sum_q <= from_plain_q + from_weighted_q;
    end
    assign sums_o[lane*AccW+:AccW] = sum_q;
  end

endmodule
