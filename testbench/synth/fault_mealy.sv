module fault_mealy (input logic clk_i, input logic a_i, output logic b_o);
  logic a_q;
  always_ff @(posedge clk_i) a_q <= a_i;
  assign b_o = a_i & a_q;
endmodule
