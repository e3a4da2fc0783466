module fault_array (
  input logic clk_i, input logic write_i, input logic [9:0] addr_i, input logic [7:0] data_i, output logic [7:0] data_o
);
  logic [7:0] mem[1024];
  always_ff @(posedge clk_i) begin
    if (write_i) mem[addr_i] <= data_i;
    data_o <= mem[addr_i];
  end
endmodule
