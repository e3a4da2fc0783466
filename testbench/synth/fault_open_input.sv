module taker (input logic a_i, input logic b_i, output logic c_o);
  assign c_o = a_i & b_i;
endmodule

module fault_open_input (input logic a_i, output logic c_o);
  taker u_taker (.a_i, .b_i(), .c_o);
endmodule
