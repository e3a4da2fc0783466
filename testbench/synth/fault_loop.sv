module half_loop (input logic a_i, input logic b_i, output logic c_o);
  assign c_o = a_i & b_i;
endmodule

module fault_loop (input logic a_i, output logic c_o);
  logic ahead, back;
  half_loop u_ahead (.a_i, .b_i(back), .c_o(ahead));
  half_loop u_back (.a_i, .b_i(ahead), .c_o(back));
  assign c_o = ahead;
endmodule
