// One lane of damf_normalise: a sum times the row's mantissa, rounded and
// saturated to 32 bits, four cycles later. The mantissa comes with the cycle
// after the sum's, the shift one later still. It carries no valid bit.
module damf_normalise_lane #(
  parameter int unsigned TokenW = 10,
  parameter int unsigned AccW   = 35
) (
  input  logic                   clk_i,
  input  logic signed [AccW-1:0] sum_i,
  input  logic        [    16:0] mantissa_i,
  input  logic        [     5:0] shift_i,
  output logic signed [    31:0] output_o
);

  // Weighted sums: N * 2^22 times a mantissa up to 2^16. Sums of shifted terms
  // are wider, but their mantissa is 1.
  localparam int unsigned ProductW = 40 + TokenW;

  logic signed [AccW-1:0] sum_q;
  logic signed [ProductW-1:0] product_q;
  always_ff @(posedge clk_i) begin
    sum_q <= sum_i;
    product_q <= ProductW'(sum_q) * ProductW'($signed({1'b0, mantissa_i}));
  end

  prim_round_shift #(
    .InW (ProductW + 8),
    .OutW(32)
  ) u_round (
    .clk_i,
    .value_i({product_q, 8'b0}),
    .shift_i,
    .value_o(output_o)
  );

endmodule
