// value / 2^shift, rounded half to even, saturated to OutW signed bits: the
// twin of model/numerics/rounding.h. Two stages, never stalls; it carries no
// valid bit and does no left shift (append zeros to the value instead).
module prim_round_shift #(
  parameter int unsigned InW  = 48,
  parameter int unsigned OutW = 32
) (
  input  logic                   clk_i,
  input  logic signed [ InW-1:0] value_i,
  input  logic        [     5:0] shift_i,
  output logic signed [OutW-1:0] value_o
);

  // One bit below the value holds the guard bit of an unshifted value (0).
  localparam int unsigned WideW = InW + 1;

  logic signed [WideW-1:0] wide;
  logic signed [WideW-1:0] shifted_q;
  logic sticky_q;

  assign wide = {value_i, 1'b0};

  always_ff @(posedge clk_i) begin
    shifted_q <= wide >>> shift_i;
    sticky_q <= |(wide & ((WideW'(1) << shift_i) - WideW'(1)));
  end

  logic signed [InW-1:0] quotient, rounded;
  logic up;
  assign quotient = shifted_q[WideW-1:1];
  assign up = shifted_q[0] && (sticky_q || quotient[0]);
  assign rounded = quotient + InW'(up);

  // Within OutW bits when all bits above are copies of the sign.
  logic fits;
  assign fits = (&rounded[InW-1:OutW-1]) || !(|rounded[InW-1:OutW-1]);

  always_ff @(posedge clk_i) begin
    if (fits) value_o <= rounded[OutW-1:0];
    else value_o <= {rounded[InW-1], {(OutW - 1) {!rounded[InW-1]}}};
  end

endmodule
