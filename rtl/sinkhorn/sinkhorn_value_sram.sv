// One value column's codes: a word holds a code for every lane, written one code
// at a time, from a bit of its word on, read whole. Both ports are synchronous;
// read data hold until the next read. It does not forward a write to a read of
// the same address in the same cycle (old data), and has no reset.
module sinkhorn_value_sram #(
  parameter int unsigned Lanes = 4,
  parameter int unsigned CodeW = 20,
  parameter int unsigned Depth = 16,
  parameter int unsigned AddrW = (Depth > 1) ? $clog2(Depth) : 1,
  parameter int unsigned BitW  = $clog2(Lanes * CodeW)
) (
  input  logic                   clk_i,
  input  logic                   write_i,
  input  logic [      AddrW-1:0] write_addr_i,
  input  logic [       BitW-1:0] write_bit_i,
  input  logic [      CodeW-1:0] write_data_i,
  input  logic                   read_i,
  input  logic [      AddrW-1:0] read_addr_i,
  output logic [Lanes*CodeW-1:0] read_data_o
);

  logic [Lanes*CodeW-1:0] mem[Depth];

  always_ff @(posedge clk_i) begin
    if (write_i) mem[write_addr_i][write_bit_i+:CodeW] <= write_data_i;
    if (read_i) read_data_o <= mem[read_addr_i];
  end

endmodule
