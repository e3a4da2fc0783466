// Two gates from a register to the pin, one from pin to register, one through.
module path_leaf (
  input  logic clk_i,
  input  logic a_i,
  input  logic b_i,
  output logic launched_o,
  output logic through_o
);
  logic x_q, y_q, z_q;
  always_ff @(posedge clk_i) begin
    x_q <= a_i & b_i;
    y_q <= a_i;
    z_q <= b_i;
  end
  assign launched_o = (x_q & y_q) ^ z_q;
  assign through_o = a_i | b_i;
endmodule
