// The cells of one macro column, with what makes them compute: per weight bit a
// plane of Rows cells, and the count of those that hold a one in a row whose
// input bit is one. The array stays a memory in synthesis, the counters around
// it are logic. It does not know signs or significance, and has no reset.
module cim_cells_sram #(
  parameter int unsigned Rows   = 64,
  parameter int unsigned Bits   = 8,
  parameter int unsigned RowW   = (Rows > 1) ? $clog2(Rows) : 1,
  parameter int unsigned CountW = $clog2(Rows + 1)
) (
  input  logic                   clk_i,
  input  logic                   clk_write_i,
  input  logic                   write_i,
  input  logic [       RowW-1:0] row_i,
  input  logic [       Bits-1:0] data_i,
  input  logic                   count_i,
  input  logic [       Bits-1:0] used_i,   // Planes that count; the others give zero.
  input  logic [       Rows-1:0] bits_i,
  output logic [Bits*CountW-1:0] counts_o
);

  (* nomem2reg *) logic [Rows-1:0] mem[Bits];

  for (genvar plane = 0; plane < Bits; plane++) begin : gen_plane
    always_ff @(posedge clk_write_i) begin
      if (write_i) mem[plane][row_i] <= data_i[plane];
    end
  end

  logic [Bits*CountW-1:0] counts_q;
  always_ff @(posedge clk_i) begin
    if (count_i) begin
      for (int unsigned plane = 0; plane < Bits; plane++) begin
        counts_q[plane*CountW+:CountW] <=
            used_i[plane] ? CountW'($countones(mem[plane] & bits_i)) : '0;
      end
    end
  end
  assign counts_o = counts_q;

endmodule
