// The transpose buffers: two blocks of Size x Size codes, written row by row and
// read crosswise, both synchronous; read data hold until the next read. Row 0 of
// what is written is code 0 of what is read. A memory per diagonal: each row is
// turned by its number, so that a row and a column both meet every memory once.
// It does not track what it holds.
module cim_transpose #(
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

  localparam int unsigned Banks = 2 ** AddrW;  // Numbers wrap: bank = row + column.
  localparam int unsigned DataW = Banks * Bits;

  logic [DataW-1:0] written, stored, turned;
  logic [AddrW-1:0] column_q;
  always_ff @(posedge clk_i) begin
    if (read_i) column_q <= read_column_i;
  end

  // Nothing moves while nothing is written, in silicon as in simulation.
  always_comb begin
    written = '0;
    if (write_i) begin
      written = DataW'(write_data_i);
      for (int unsigned i = 0; i < AddrW; i++) begin
        if (write_row_i[i]) begin
          written = (written << (Bits << i)) | (written >> (DataW - (Bits << i)));
        end
      end
    end
  end
  always_comb begin
    turned = stored;
    for (int unsigned i = 0; i < AddrW; i++) begin
      if (column_q[i]) turned = (turned >> (Bits << i)) | (turned << (DataW - (Bits << i)));
    end
  end
  assign read_data_o = turned[Size*Bits-1:0];

  for (genvar bank = 0; bank < Banks; bank++) begin : gen_bank
    prim_sram #(
      .Width(Bits),
      .Depth(2 * Banks)
    ) u_codes (
      .clk_i,
      .write_i,
      .write_addr_i({write_block_i, write_row_i}),
      .write_data_i(written[bank*Bits+:Bits]),
      .read_i,
      .read_addr_i ({read_block_i, AddrW'(bank) - read_column_i}),
      .read_data_o (stored[bank*Bits+:Bits])
    );
  end

endmodule
