module fault_two_registers (input logic clk_i, input logic a_i, input logic b_i, output logic data_o);
  always_ff @(posedge clk_i) data_o <= a_i;
  always_ff @(posedge clk_i) if (b_i) data_o <= !a_i;
endmodule
