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
    damf_collapse_lane #(
      .TokenW(TokenW),
      .AccW  (AccW)
    ) u_lane (
      .clk_i,
      .clamp_i,
      .causal_i,
      .key_t_i,
      .value_i          (values_i[lane*8+:8]),
      .add_i            (valid_q),
      .first_i          (first_q),
      .positive_i       (positive_q),
      .complete_i       (complete_q),
      .select_positive_i(select_s_i > 0),
      .s_i              (s),
      .a_max_i          (a_max),
      .sum_o            (sums_o[lane*AccW+:AccW])
    );
  end

endmodule
