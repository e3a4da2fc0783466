// The transpose buffers: two blocks of Size x Size codes, written row by row and
// read crosswise, both synchronous; read data hold until the next read. Row 0 of
// what is written is code 0 of what is read. It does not track what it holds.
module cim_transpose_sram #(
  parameter int unsigned Size  = 16,
  parameter int unsigned Bits  = 8,
  parameter int unsigned AddrW = (Size > 1) ? $clog2(Size) : 1
) (
  input  logic                 clk_i,
  input  logic                 write_i,
  input  logic                 write_block_i,
  input  logic [    AddrW-1:0] write_row_i,
  input  logic [Size*Bits-1:0] write_data_i,
  input  logic                 read_i,
  input  logic                 read_block_i,
  input  logic [    AddrW-1:0] read_column_i,
  output logic [Size*Bits-1:0] read_data_o
);

  logic [Size*Bits-1:0] mem0[Size];
  logic [Size*Bits-1:0] mem1[Size];

  always_ff @(posedge clk_i) begin
    if (write_i && !write_block_i) mem0[write_row_i] <= write_data_i;
    if (write_i && write_block_i) mem1[write_row_i] <= write_data_i;
  end

  always_ff @(posedge clk_i) begin
    if (read_i) begin
      for (int unsigned row = 0; row < Size; row++) begin
        read_data_o[row*Bits+:Bits] <= read_block_i ? mem1[row][read_column_i*Bits+:Bits] :
                                                      mem0[row][read_column_i*Bits+:Bits];
      end
    end
  end

endmodule
