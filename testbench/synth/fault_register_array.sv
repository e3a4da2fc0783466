// yosys turns it into registers with a warning of its own.
module fault_register_array (
  input logic clk_i, input logic [9:0] addr_i, input logic [7:0] data_i, output logic [7:0] data_o
);
  logic [7:0] mem_q[1024];
  always_ff @(posedge clk_i) begin
    for (int i = 1; i < 1024; i++) mem_q[i] <= mem_q[i-1];
    mem_q[0] <= data_i;
    data_o <= mem_q[addr_i];
  end
endmodule
