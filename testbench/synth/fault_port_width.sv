module wide (input logic [3:0] a_i, output logic c_o);
  assign c_o = ^a_i;
endmodule

module fault_port_width (input logic [4:0] a_i, output logic c_o);
  wide u_wide (.a_i, .c_o);
endmodule
