module fault_two_drivers (input logic a_i, input logic b_i, output logic data_o);
  assign data_o = a_i;
  assign data_o = b_i;
endmodule
