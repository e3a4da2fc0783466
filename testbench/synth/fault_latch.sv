module fault_latch (input logic enable_i, input logic data_i, output logic data_o);
  always @* if (enable_i) data_o = data_i;
endmodule
