// Columns of a macro that share the wires of its input bits and strobes. It is
// only a level of hierarchy: the macro's columns are far too many to drive one
// by one, in silicon as in simulation.
module cim_slice #(
  parameter int unsigned Rows      = 64,
  parameter int unsigned Columns   = 16,
  parameter int unsigned Bits      = 8,
  parameter int unsigned InputBits = 8,
  parameter int unsigned RowW      = (Rows > 1) ? $clog2(Rows) : 1,
  parameter int unsigned ShiftW    = (InputBits > 1) ? $clog2(InputBits) : 1,
  parameter int unsigned AccW      = Bits + InputBits + $clog2(Rows)
) (
  input  logic                    clk_i,
  input  logic                    clk_write_i,
  input  logic [     Columns-1:0] write_i,
  input  logic [        RowW-1:0] row_i,
  input  logic [Columns*Bits-1:0] data_i,
  input  logic                    count_i,
  input  logic [        Bits-1:0] used_i,
  input  logic [        Rows-1:0] bits_i,
  input  logic                    sum_i,
  input  logic [        Bits-1:0] negative_i,
  input  logic                    add_i,
  input  logic                    first_i,
  input  logic [      ShiftW-1:0] shift_i,
  output logic [Columns*AccW-1:0] accs_o
);

  for (genvar column = 0; column < Columns; column++) begin : gen_column
    cim_column #(
      .Rows     (Rows),
      .Bits     (Bits),
      .InputBits(InputBits)
    ) u_column (
      .clk_i,
      .clk_write_i,
      .write_i(write_i[column]),
      .row_i,
      .data_i (data_i[column*Bits+:Bits]),
      .count_i,
      .used_i,
      .bits_i,
      .sum_i,
      .negative_i,
      .add_i,
      .first_i,
      .shift_i,
      .acc_o  (accs_o[column*AccW+:AccW])
    );
  end

endmodule
