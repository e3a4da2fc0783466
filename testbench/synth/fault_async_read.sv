module async_sram (
  input logic clk_i, input logic write_i, input logic [9:0] addr_i, input logic [7:0] data_i, output logic [7:0] data_o
);
  logic [7:0] mem[1024];
  always_ff @(posedge clk_i) if (write_i) mem[addr_i] <= data_i;
  assign data_o = mem[addr_i];
endmodule

module fault_async_read (
  input logic clk_i, input logic write_i, input logic [9:0] addr_i, input logic [7:0] data_i, output logic [7:0] data_o
);
  logic [7:0] data;
  async_sram u_words (.clk_i, .write_i, .addr_i, .data_i, .data_o(data));
  always_ff @(posedge clk_i) data_o <= data;
endmodule
