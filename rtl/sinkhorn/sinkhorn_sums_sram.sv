// Running column sums of a streamed matrix, a word for all lanes: prim_sram
// under a name of its own.
module sinkhorn_sums_sram #(
  parameter int unsigned Width = 240,
  parameter int unsigned Depth = 129,
  parameter int unsigned AddrW = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic             clk_i,
  input  logic             write_i,
  input  logic [AddrW-1:0] write_addr_i,
  input  logic [Width-1:0] write_data_i,
  input  logic             read_i,
  input  logic [AddrW-1:0] read_addr_i,
  output logic [Width-1:0] read_data_o
);
  prim_sram #(
    .Width(Width),
    .Depth(Depth)
  ) u_words (
    .clk_i,
    .write_i,
    .write_addr_i,
    .write_data_i,
    .read_i,
    .read_addr_i,
    .read_data_o
  );
endmodule
