// One column of a macro: its cells, the sum of a bit cycle over the weight
// bits, and the accumulation of bit cycles, least significant input bit first.
// Each of the three is a stage with its own enable; nothing else moves. It does
// not sequence them: cim_multiply_port does, for all columns alike.
module cim_column #(
  parameter int unsigned Rows  = 64,
  parameter int unsigned Bits  = 8,
  parameter int unsigned InputBits = 8,
  parameter int unsigned RowW  = (Rows > 1) ? $clog2(Rows) : 1,
  parameter int unsigned ShiftW = (InputBits > 1) ? $clog2(InputBits) : 1,
  parameter int unsigned AccW  = Bits + InputBits + $clog2(Rows)
) (
  input  logic              clk_i,
  input  logic              clk_write_i,
  input  logic              write_i,
  input  logic [  RowW-1:0] row_i,
  input  logic [  Bits-1:0] data_i,
  input  logic              count_i,
  input  logic [  Bits-1:0] used_i,      // Weight bits in use.
  input  logic [  Rows-1:0] bits_i,
  input  logic              sum_i,
  input  logic [  Bits-1:0] negative_i,  // Weight bits that subtract.
  input  logic              add_i,
  input  logic              first_i,
  input  logic [ShiftW-1:0] shift_i,
  output logic [  AccW-1:0] acc_o
);

  localparam int unsigned CountW = $clog2(Rows + 1);
  localparam int unsigned SumW = Bits + $clog2(Rows) + 1;

  logic [Bits*CountW-1:0] counts;
  cim_cells_sram #(
    .Rows(Rows),
    .Bits(Bits)
  ) u_cells (
    .clk_i,
    .clk_write_i,
    .write_i,
    .row_i,
    .data_i,
    .count_i,
    .used_i,
    .bits_i,
    .counts_o(counts)
  );

  logic [SumW-1:0] sum, sum_q;
  logic [AccW-1:0] acc_q;
  // What subtracts is inverted and has a one added: so all are terms of one sum.
  always_comb begin
    sum = '0;
    if (sum_i) begin
      for (int unsigned plane = 0; plane < Bits; plane++) begin
        sum = sum + ((SumW'(counts[plane*CountW+:CountW]) << plane) ^ {SumW{negative_i[plane]}}) +
              SumW'(negative_i[plane]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (sum_i) sum_q <= sum;
    if (add_i) acc_q <= (first_i ? '0 : acc_q) + (AccW'($signed(sum_q)) << shift_i);
  end
  assign acc_o = acc_q;

endmodule
