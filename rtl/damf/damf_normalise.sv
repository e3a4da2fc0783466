// Lanes sums to 32-bit outputs: times the row's mantissa, 8 fraction bits
// appended, shifted with rounding, saturated. Sums taken in cycle c leave in
// c + 4. Never stalls.
module damf_normalise #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned TokenW = 10,
  parameter int unsigned AccW   = 35
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  valid_i,
  input  logic                  tail_i,
  input  logic [Lanes*AccW-1:0] sums_i,
  input  logic [          16:0] mantissa_i,
  input  logic [           5:0] output_shift_i,
  output logic                  valid_o,
  output logic                  tail_o,
  output logic [  Lanes*32-1:0] outputs_o
);

  // Weighted sums: N * 2^22 times a mantissa up to 2^16. Sums of shifted terms
  // are wider, but their mantissa is 1.
  localparam int unsigned ProductW = 40 + TokenW;

  logic [4:1] valid_q, tail_q;
  logic [16:0] mantissa_q;
  logic [5:0] shift_1_q, shift_2_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[3:1], valid_i};
  end
  always_ff @(posedge clk_i) begin
    tail_q <= {tail_q[3:1], tail_i};
    mantissa_q <= mantissa_i;
    shift_1_q <= output_shift_i;
    shift_2_q <= shift_1_q;
  end

  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    logic signed [AccW-1:0] sum_q;
    logic signed [ProductW-1:0] product_q;
    logic signed [31:0] result;
    always_ff @(posedge clk_i) begin
      sum_q <= sums_i[lane*AccW+:AccW];
      product_q <= ProductW'(sum_q) * ProductW'($signed({1'b0, mantissa_q}));
    end
    prim_round_shift #(
      .InW (ProductW + 8),
      .OutW(32)
    ) u_round (
      .clk_i,
      .value_i({product_q, 8'b0}),
      .shift_i(shift_2_q),
      .value_o(result)
    );
    assign outputs_o[lane*32+:32] = result;
  end

  assign valid_o = valid_q[4];
  assign tail_o = tail_q[4];

endmodule
