// One macro: two input registers of Rows codes, Columns columns of cells, and
// the sums of up to Buffers tokens, of which Words leave per read. The input
// registers hold the codes bit by bit. It does not sequence or select itself:
// all its strobes come from the ports, and none when it takes no part.
module cim_macro #(
  parameter int unsigned Rows       = 64,
  parameter int unsigned Columns    = 16,
  parameter int unsigned Bits       = 8,
  parameter int unsigned InputBits  = 8,
  parameter int unsigned InputBytes = 16,
  parameter int unsigned Granule    = 16,
  parameter int unsigned Words      = 4,
  parameter int unsigned Buffers    = 4,
  parameter int unsigned RowW       = (Rows > 1) ? $clog2(Rows) : 1,
  parameter int unsigned Beats      = Rows / InputBytes,
  parameter int unsigned Granules   = (Columns + Granule - 1) / Granule,
  parameter int unsigned Parts      = Columns / Words,
  parameter int unsigned ShiftW     = (InputBits > 1) ? $clog2(InputBits) : 1,
  parameter int unsigned BufferW    = $clog2(Buffers),
  parameter int unsigned AccW       = Bits + InputBits + $clog2(Rows)
) (
  input  logic                            clk_i,
  input  logic                            clk_write_i,
  // Write bus.
  input  logic [            Granules-1:0] write_i,   // One-hot.
  input  logic [                RowW-1:0] row_i,
  input  logic [             Granule-1:0] lanes_i,   // Codes of the granule.
  input  logic [        Granule*Bits-1:0] weights_i,
  // Codes in.
  input  logic [               Beats-1:0] load_i,    // One-hot; the first clears the others.
  input  logic                            load_to_i,
  input  logic [InputBits*InputBytes-1:0] codes_i,   // Bit by bit.
  // Bit cycles.
  input  logic                            bit_i,
  input  logic                            bit_from_i,
  input  logic [              ShiftW-1:0] bit_index_i,
  input  logic                            count_i,
  input  logic [                Bits-1:0] used_i,
  input  logic                            sum_i,
  input  logic [                Bits-1:0] negative_i,
  input  logic                            add_i,
  input  logic                            first_i,
  input  logic [              ShiftW-1:0] shift_i,
  input  logic                            store_i,
  input  logic [             BufferW-1:0] store_to_i,
  // Sums out.
  input  logic [               Parts-1:0] read_i,    // One-hot.
  input  logic [             BufferW-1:0] read_from_i,
  output logic [          Words*AccW-1:0] sums_o     // Zero but in the cycle after a read.
);

  // ------------------------------------------------ input registers

  logic [2*InputBits*Rows-1:0] inputs;
  for (genvar to = 0; to < 2; to++) begin : gen_input
    for (genvar i = 0; i < InputBits; i++) begin : gen_bit
      for (genvar beat = 0; beat < Beats; beat++) begin : gen_beat
        logic [InputBytes-1:0] codes_q;
        always_ff @(posedge clk_i) begin
          if (load_to_i == 1'(to)) begin
            if (load_i[beat]) codes_q <= codes_i[i*InputBytes+:InputBytes];
            else if (load_i[0]) codes_q <= '0;
          end
        end
        assign inputs[(to*InputBits+i)*Rows+beat*InputBytes+:InputBytes] = codes_q;
      end
    end
  end

  logic [Rows-1:0] bits, bits_q;
  always_comb begin
    bits = '0;
    if (bit_i) begin
      for (int unsigned i = 0; i < InputBits; i++) begin
        if (bit_index_i == ShiftW'(i)) begin
          bits = bit_from_i ? inputs[(InputBits+i)*Rows+:Rows] : inputs[i*Rows+:Rows];
        end
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (bit_i) bits_q <= bits;
  end

  // ------------------------------------------------ columns

  localparam int unsigned SliceColumns = (Columns % 16 == 0) ? 16 : Columns;
  localparam int unsigned Slices = Columns / SliceColumns;

  logic [Columns-1:0] write;
  logic [Columns*Bits-1:0] weights;
  for (genvar column = 0; column < Columns; column++) begin : gen_write
    assign write[column] = write_i[column/Granule] && lanes_i[column%Granule];
    assign weights[column*Bits+:Bits] = weights_i[column%Granule*Bits+:Bits];
  end

  logic [Columns*AccW-1:0] sums;
  for (genvar slice = 0; slice < Slices; slice++) begin : gen_slice
    cim_slice #(
      .Rows     (Rows),
      .Columns  (SliceColumns),
      .Bits     (Bits),
      .InputBits(InputBits)
    ) u_slice (
      .clk_i,
      .clk_write_i,
      .write_i(write[slice*SliceColumns+:SliceColumns]),
      .row_i,
      .data_i (weights[slice*SliceColumns*Bits+:SliceColumns*Bits]),
      .count_i,
      .used_i,
      .bits_i (bits_q),
      .sum_i,
      .negative_i,
      .add_i,
      .first_i,
      .shift_i,
      .accs_o (sums[slice*SliceColumns*AccW+:SliceColumns*AccW])
    );
  end

  // ------------------------------------------------ output buffers

  logic [Parts-1:0] read_q;
  logic [Parts*Words*AccW-1:0] stored;
  always_ff @(posedge clk_i) read_q <= read_i;

  for (genvar part = 0; part < Parts; part++) begin : gen_part
    prim_sram #(
      .Width(Words * AccW),
      .Depth(Buffers)
    ) u_sums (
      .clk_i,
      .write_i     (store_i),
      .write_addr_i(store_to_i),
      .write_data_i(sums[part*Words*AccW+:Words*AccW]),
      .read_i      (read_i[part]),
      .read_addr_i (read_from_i),
      .read_data_o (stored[part*Words*AccW+:Words*AccW])
    );
  end
  always_comb begin
    sums_o = '0;
    for (int unsigned part = 0; part < Parts; part++) begin
      if (read_q[part]) sums_o = stored[part*Words*AccW+:Words*AccW];
    end
  end

endmodule
