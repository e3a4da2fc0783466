// The code of a power (1 + fraction / 2^17) * 2^octave with FractionBits fraction
// bits, rounded half to even, at most 2^31 - 1: with sinkhorn_power in front of it
// the twin of model::power_code(). Power in cycle c, code in c + 1. It never
// stalls, carries no valid bit and does not count what it clamps.
module sinkhorn_power_code #(
  parameter int unsigned FractionBits = 24,
  parameter int unsigned OctaveW      = 18
) (
  input  logic                      clk_i,
  input  logic        [       16:0] fraction_i,
  input  logic signed [OctaveW-1:0] octave_i,
  output logic        [       30:0] code_o
);

  // Octaves from -(FractionBits + 1), half a unit, to 31 above have codes that
  // fit and may be above 0. With 18 bits below the code's unit the mantissa of
  // the least of them is not shifted.
  logic signed [OctaveW:0] up_from_least;
  logic below, beyond;
  assign up_from_least = (OctaveW + 1)'(octave_i) + (OctaveW + 1)'(FractionBits + 1);
  assign below = up_from_least[OctaveW];
  assign beyond = !below && (|up_from_least[OctaveW-1:5]);

  logic [48:0] wide;
  logic up;
  assign wide = {31'b0, 1'b1, fraction_i} << up_from_least[4:0];
  assign up = wide[17] && ((|wide[16:0]) || wide[18]);

  always_ff @(posedge clk_i) begin
    if (beyond) code_o <= '1;
    else if (below) code_o <= '0;
    else code_o <= wide[48:18] + 31'(up);
  end

endmodule
