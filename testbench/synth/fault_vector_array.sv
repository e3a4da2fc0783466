module fault_vector_array (
  input logic clk_i, input logic write_i, input logic [9:0] addr_i, input logic [8191:0] data_i,
  output logic [7:0] data_o
);
  logic [8191:0] mem_q;
  always_ff @(posedge clk_i) begin
    if (write_i) mem_q <= data_i;
    data_o <= mem_q[addr_i*8+:8];
  end
endmodule
