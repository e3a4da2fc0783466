// Index of the highest set bit; 0 for zero. Combinational.
module prim_leading_one #(
  parameter int unsigned Width  = 16,
  parameter int unsigned IndexW = (Width > 1) ? $clog2(Width) : 1
) (
  input  logic [ Width-1:0] value_i,
  output logic [IndexW-1:0] index_o
);

  always_comb begin
    index_o = '0;
    for (int unsigned i = 1; i < Width; i++) begin
      if (value_i[i]) index_o = IndexW'(i);
    end
  end

endmodule
