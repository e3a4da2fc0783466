(* blackbox *)
module nobody (input logic a_i, output logic b_o);
endmodule

module fault_black_box (input logic a_i, output logic b_o);
  nobody u_nobody (.a_i, .b_o);
endmodule
