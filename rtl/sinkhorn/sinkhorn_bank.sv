// A bank of the tile memory: two halves, of which one is written and one is read
// in a cycle. Streamed, each half is a buffer; resident, neighbouring words lie
// in different ones. Wide, both are one memory of 32-bit words, read and written
// in turn. It does not choose the half.
module sinkhorn_bank #(
  parameter int unsigned Depth = 128,
  parameter int unsigned AddrW = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic             clk_i,
  input  logic             wide_read_i,
  input  logic             wide_write_i,
  input  logic             write_i,
  input  logic             write_half_i,
  input  logic [AddrW-1:0] write_addr_i,
  input  logic [     31:0] write_data_i,
  input  logic             read_i,
  input  logic             read_half_i,
  input  logic [AddrW-1:0] read_addr_i,
  output logic [     31:0] read_data_o
);
  /* verilator no_inline_module */

  logic half_q;
  logic [15:0] low, high;
  always_ff @(posedge clk_i) begin
    if (read_i) half_q <= read_half_i;
  end
  prim_sram #(
    .Width(16),
    .Depth(Depth)
  ) u_low (
    .clk_i,
    .write_i     (write_i && (wide_write_i || !write_half_i)),
    .write_addr_i,
    .write_data_i(write_data_i[15:0]),
    .read_i      (read_i && (wide_read_i || !read_half_i)),
    .read_addr_i,
    .read_data_o (low)
  );
  prim_sram #(
    .Width(16),
    .Depth(Depth)
  ) u_high (
    .clk_i,
    .write_i     (write_i && (wide_write_i || write_half_i)),
    .write_addr_i,
    .write_data_i(wide_write_i ? write_data_i[31:16] : write_data_i[15:0]),
    .read_i      (read_i && (wide_read_i || read_half_i)),
    .read_addr_i,
    .read_data_o (high)
  );
  assign read_data_o = {high, half_q ? high : low};

endmodule
