// A logit from an element's code: code * mantissa / 2^shift, rounded half to
// even, saturated to 16 bits. Code and factor in cycle c, logit in c + 3:
// multiply (1), round (2). The factor must hold while codes are under way.
// Codes of 16 bits come sign-extended; it never stalls and carries no valid bit.
module sinkhorn_logit (
  input  logic               clk_i,
  input  logic signed [31:0] code_i,
  input  logic        [15:0] mantissa_i,
  input  logic        [ 5:0] shift_i,
  output logic signed [15:0] logit_o
);

  // |code * mantissa| < 2^31 * 2^16.
  logic signed [47:0] product_q;
  always_ff @(posedge clk_i) product_q <= 48'(code_i) * 48'($signed({1'b0, mantissa_i}));

  prim_round_shift #(
    .InW (48),
    .OutW(16)
  ) u_round (
    .clk_i,
    .value_i(product_q),
    .shift_i,
    .value_o(logit_o)
  );

endmodule
