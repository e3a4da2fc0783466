// One result of the epilogue: a sum times its token's mantissa, shifted, rounded half to
// even and saturated to 32 bits; the same again with the command's factor. All of a sum's
// operands but the first shift, which comes one cycle later, are taken in cycle c; the
// result is there in c + 6. Never stalls; carries no valid bit. Narrower saturation is the
// packer's (cim_epilogue).
module cim_epilogue_lane (
  input  logic               clk_i,
  input  logic signed [31:0] sum_i,
  input  logic        [16:0] mantissa_i,
  input  logic        [ 5:0] shift_1_i,      // One cycle later.
  input  logic        [15:0] factor_i,       // Stands still while sums are on their way,
  input  logic        [ 5:0] factor_shift_i, // and so does this.
  output logic signed [31:0] result_o
);
  /* verilator no_inline_module */

  localparam int unsigned ProductW = 49;

  logic signed [ProductW-1:0] product_q, requantised_q;
  logic signed [31:0] normalised;

  always_ff @(posedge clk_i) begin
    product_q <= ProductW'(sum_i) * ProductW'($signed({1'b0, mantissa_i}));
    requantised_q <= ProductW'(normalised) * ProductW'($signed({1'b0, factor_i}));
  end

  prim_round_shift #(
    .InW (ProductW),
    .OutW(32)
  ) u_normalise (
    .clk_i,
    .value_i(product_q),
    .shift_i(shift_1_i),
    .value_o(normalised)
  );

  prim_round_shift #(
    .InW (ProductW),
    .OutW(32)
  ) u_requantise (
    .clk_i,
    .value_i(requantised_q),
    .shift_i(factor_shift_i),
    .value_o(result_o)
  );

endmodule
