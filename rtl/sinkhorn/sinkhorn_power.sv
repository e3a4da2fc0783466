// 2^x of x with 16 fraction bits, as a floating number (1 + fraction / 2^17) *
// 2^octave: the twin of model::power_mantissa(). x in cycle c, result in c + 2:
// table (1), interpolation (2). It does not shift by the octave (sinkhorn_power_code
// does, or who adds powers), never stalls and carries no valid bit.
module sinkhorn_power #(
  parameter int unsigned XW      = 34,
  parameter int unsigned OctaveW = XW - 16
) (
  input  logic                      clk_i,
  input  logic signed [     XW-1:0] x_i,
  output logic        [       16:0] fraction_o,
  output logic signed [OctaveW-1:0] octave_o
);

  logic [16:0] value, value_q;
  logic [9:0] step, step_q;
  logic [7:0] offset_q;
  logic signed [OctaveW-1:0] octave_q;

  sinkhorn_power_table u_table (
    .index_i(x_i[15:8]),
    .value_o(value),
    .step_o (step)
  );

  // The product rounded to units of the value. Between two entries the power
  // stays below the right one, so no sum reaches 2.
  logic [17:0] product;
  logic up;
  assign product = 18'(step_q) * 18'(offset_q);
  assign up = product[7] && ((|product[6:0]) || product[8]);

  always_ff @(posedge clk_i) begin
    value_q <= value;
    step_q <= step;
    offset_q <= x_i[7:0];
    octave_q <= x_i[XW-1:16];
    fraction_o <= value_q + 17'(product[17:8]) + 17'(up);
    octave_o <= octave_q;
  end

endmodule
