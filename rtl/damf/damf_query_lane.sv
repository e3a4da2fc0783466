// One lane of a query row: weight times value, or two shifted values and their
// common shift, added up, in the cycles 5 to 8 of damf_query_row. It knows no
// keys: what a weight is and when it counts comes from the row.
module damf_query_lane #(
  parameter int unsigned AccW = 35
) (
  input  logic                   clk_i,
  // Cycle 5.
  input  logic                   shift_i,
  input  logic                   visible_i,
  input  logic                   nonzero_i,
  input  logic                   negative_i,
  input  logic        [     4:0] exponent_max_i,
  input  logic        [     4:0] exponent_i,
  input  logic signed [    16:0] weight_i,
  input  logic signed [     7:0] value_i,
  // Cycle 7, cycle 8.
  input  logic        [     4:0] term_shift_i,
  input  logic                   add_i,
  input  logic                   first_i,
  output logic signed [AccW-1:0] sum_o
);

  // |weight| <= 2^15 or two powers up to 2^16, times |v| <= 2^7.
  localparam int unsigned TermW = 26;

  logic signed [TermW-1:0] value, large_q, small_q, term_q, shifted_q;
  assign value = TermW'(value_i);
  always_ff @(posedge clk_i) begin
    if (shift_i) begin
      large_q <= visible_i ? value <<< exponent_max_i : '0;
      if (!nonzero_i) small_q <= '0;
      else if (negative_i) small_q <= -(value <<< exponent_i);
      else small_q <= value <<< exponent_i;
    end else begin
      large_q <= TermW'(weight_i) * value;
      small_q <= '0;
    end
    term_q <= large_q + small_q;
    shifted_q <= term_q >>> term_shift_i;
    if (add_i) sum_o <= (first_i ? '0 : sum_o) + AccW'(shifted_q);
  end

endmodule
