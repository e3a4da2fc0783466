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
    damf_normalise_lane #(
      .TokenW(TokenW),
      .AccW  (AccW)
    ) u_lane (
      .clk_i,
      .sum_i     (sums_i[lane*AccW+:AccW]),
      .mantissa_i(mantissa_q),
      .shift_i   (shift_2_q),
      .output_o  (outputs_o[lane*32+:32])
    );
  end

  assign valid_o = valid_q[4];
  assign tail_o = tail_q[4];

endmodule
