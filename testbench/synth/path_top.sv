// Register, 2 gates in one leaf, 1 through the next, 1 here, 1 into the last:
// five levels over four modules, start u_first.x_q, end u_last.x_q.
module path_top (
  input  logic clk_i,
  input  logic a_i,
  input  logic b_i,
  output logic done_o
);
  logic a_q, b_q, first, second, third;
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
  end
  path_leaf u_first (.clk_i, .a_i(a_q), .b_i(b_q), .launched_o(first), .through_o());
  path_leaf u_second (.clk_i, .a_i(first), .b_i(b_q), .launched_o(), .through_o(second));
  assign third = second & a_q;
  path_leaf u_last (.clk_i, .a_i(third), .b_i(b_q), .launched_o(done_o), .through_o());
endmodule
