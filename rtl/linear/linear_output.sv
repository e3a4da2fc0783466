// A query's output beats: the divided row, and with sums its numerators, Lanes/2
// columns of 64 bits a beat, and its denominator; one beat per cycle into the
// output FIFO. The next query comes no earlier than its last beat. Whoever sends
// a query has reserved the places of its beats (credits).
module linear_output #(
  parameter int unsigned Lanes  = 4,
  parameter int unsigned SumW   = 50,
  parameter int unsigned DenomW = 42,
  parameter int unsigned Depth  = 36,
  parameter int unsigned BytesW = $clog2(4 * Lanes + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  sums_i,
  input  logic [           6:0] columns_i,
  input  logic                  valid_i,
  input  logic [  Lanes*32-1:0] codes_i,
  input  logic [Lanes*SumW-1:0] numerators_i,   // With the codes and until the last beat.
  input  logic [    DenomW-1:0] denominator_i,  // The same.
  output logic                  output_valid_o,
  input  logic                  output_ready_i,
  output logic [  Lanes*32-1:0] output_data_o,
  output logic [    BytesW-1:0] output_bytes_o
);

  localparam int unsigned Columns = Lanes / 2;  // Of a beat of numerators.
  localparam int unsigned Groups = (Lanes + Columns - 1) / Columns;

  // Columns of numerators that are left, and the denominator behind them.
  logic [6:0] left_q;
  logic [1:0] group_q;
  logic last_q, numerators, push;
  logic [Lanes*32-1:0] group;
  logic [BytesW-1:0] bytes;

  assign numerators = left_q != '0;
  assign push = valid_i || numerators || last_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q <= '0;
      group_q <= '0;
      last_q <= 1'b0;
    end else begin
      if (valid_i && sums_i) begin
        left_q <= columns_i;
        group_q <= '0;
      end else if (numerators) begin
        left_q <= (left_q > 7'(Columns)) ? left_q - 7'(Columns) : '0;
        group_q <= group_q + 1'b1;
      end
      last_q <= numerators && left_q <= 7'(Columns);
    end
  end

  always_comb begin
    group = '0;
    if (valid_i) group = codes_i;
    else if (numerators) begin
      for (int unsigned g = 0; g < Groups; g++) begin
        for (int unsigned c = 0; c < Columns; c++) begin
          if (group_q == 2'(g) && g * Columns + c < Lanes) begin
            group[64*c+:64] = 64'($signed(numerators_i[SumW*(g*Columns+c)+:SumW]));
          end
        end
      end
    end else group[63:0] = 64'(denominator_i);
    if (valid_i) bytes = BytesW'({columns_i, 2'b0});
    else if (numerators) begin
      bytes = (left_q > 7'(Columns)) ? BytesW'(8 * Columns) : BytesW'({left_q, 3'b0});
    end else bytes = BytesW'(8);
  end

  prim_fifo #(
    .Width(Lanes * 32 + BytesW),
    .Depth(Depth)
  ) u_beats (
    .clk_i,
    .rst_ni,
    .push_i (push),
    .data_i ({bytes, group}),
    .valid_o(output_valid_o),
    .ready_i(output_ready_i),
    .data_o ({output_bytes_o, output_data_o})
  );

`ifndef SYNTHESIS
  OutputOneQueryAtATime: assert property (@(posedge clk_i) disable iff (!rst_ni)
      valid_i |-> !numerators && !last_q);
`endif

endmodule
