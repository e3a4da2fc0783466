module fault_constant_driver (input logic a_i, output logic data_o);
  assign data_o = a_i;
  assign data_o = 1'b0;
endmodule
