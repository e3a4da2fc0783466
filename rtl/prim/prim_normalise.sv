// A number moved left until its highest set bit is the top one, and that bit's
// index: one cycle, never stalls, carries no valid bit. Binary search, so its
// depth grows with log2(Width). Of zero it makes zero, index 0.
module prim_normalise #(
  parameter int unsigned Width  = 16,
  parameter int unsigned IndexW = $clog2(Width)
) (
  input  logic              clk_i,
  input  logic [ Width-1:0] value_i,
  output logic [ Width-1:0] normal_o,
  output logic [IndexW-1:0] index_o
);

  logic [Width-1:0] normal;
  logic [IndexW-1:0] zeros;  // Leading ones missing: how far the value moved.
  always_comb begin
    normal = value_i;
    for (int unsigned k = 0; k < IndexW; k++) begin
      // In steps of 2^(IndexW-1), ..., 2, 1.
      zeros[IndexW-1-k] = (normal >> (Width - (1 << (IndexW - 1 - k)))) == '0;
      if (zeros[IndexW-1-k]) normal = normal << (1 << (IndexW - 1 - k));
    end
  end

  always_ff @(posedge clk_i) begin
    normal_o <= normal;
    index_o <= normal[Width-1] ? IndexW'(Width - 1) - zeros : '0;
  end

endmodule
