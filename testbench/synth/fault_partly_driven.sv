module fault_partly_driven (input logic clk_i, input logic data_i, output logic [1:0] data_o);
  logic [1:0] half;
  assign half[0] = data_i;
  always_ff @(posedge clk_i) data_o <= half;
endmodule
