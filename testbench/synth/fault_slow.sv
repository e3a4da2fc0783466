// Three products in one cycle: above the budget.
module fault_slow (input logic clk_i, input logic [15:0] a_i, output logic [15:0] b_o);
  logic [15:0] a_q, p;
  assign p = a_q * a_q;
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_o <= ((p ^ a_q) * p ^ a_q) * a_q;
  end
endmodule
