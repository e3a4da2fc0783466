// A memory starts a path of one gate; 8 Kbit in a *_sram module.
module small_sram (
  input  logic        clk_i,
  input  logic        write_i,
  input  logic [ 9:0] addr_i,
  input  logic [ 7:0] data_i,
  output logic [ 7:0] data_o
);
  logic [7:0] mem[1024];
  always_ff @(posedge clk_i) begin
    if (write_i) mem[addr_i] <= data_i;
    data_o <= mem[addr_i];
  end
endmodule

module memory_path (
  input  logic       clk_i,
  input  logic       write_i,
  input  logic [9:0] addr_i,
  input  logic [7:0] data_i,
  output logic       odd_o
);
  logic [7:0] data;
  small_sram u_words (.clk_i, .write_i, .addr_i, .data_i, .data_o(data));
  always_ff @(posedge clk_i) odd_o <= data[0] ^ data[1];
endmodule
