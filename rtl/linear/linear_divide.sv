// One column's sum times the reciprocal of the denominator: shifted by
// pre_shift_i, multiplied by the mantissa, shifted to 8 fraction bits, each shift
// rounded half to even, the last saturated to 32 bits. All operands are taken in
// cycle c, the output is there in c + 5. Never stalls; carries no valid bit.
module linear_divide #(
  parameter int unsigned SumW     = 50,
  parameter int unsigned ShiftedW = 43
) (
  input  logic                   clk_i,
  input  logic signed [SumW-1:0] sum_i /* verilator public_flat_rd */,
  input  logic        [     5:0] pre_shift_i,
  input  logic        [    16:0] mantissa_2_i,  // Two cycles later.
  input  logic        [     5:0] shift_3_i,     // Three cycles later.
  output logic signed [    31:0] code_o
);
  /* verilator no_inline_module */

  localparam int unsigned ProductW = ShiftedW + 17;

  logic signed [ShiftedW-1:0] shifted;
  logic signed [ProductW-1:0] product_q;

  prim_round_shift #(
    .InW (SumW),
    .OutW(ShiftedW)
  ) u_pre_shift (
    .clk_i,
    .value_i(sum_i),
    .shift_i(pre_shift_i),
    .value_o(shifted)
  );

  always_ff @(posedge clk_i) begin
    product_q <= ProductW'(shifted) * ProductW'($signed({1'b0, mantissa_2_i}));
  end

  prim_round_shift #(
    .InW (ProductW),
    .OutW(32)
  ) u_round (
    .clk_i,
    .value_i(product_q),
    .shift_i(shift_3_i),
    .value_o(code_o)
  );

endmodule
