module fault_missing_module (input logic a_i, output logic b_o);
  nowhere u_nowhere (.a_i, .b_o);
endmodule
