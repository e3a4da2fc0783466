module fault_undriven (input logic clk_i, output logic data_o);
  logic nothing;
  always_ff @(posedge clk_i) data_o <= nothing;
endmodule
