// First-in first-out memory of known course: an entry pushed in cycle c may be
// popped from c + 1 on and is at the output in the cycle after, until the next
// pop. It has no flags: whoever pushes and pops knows what is in it.
module linear_queue #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  input  logic             pop_i,
  output logic [Width-1:0] data_o
);

  localparam int unsigned AddrW = (Depth > 1) ? $clog2(Depth) : 1;

  logic [AddrW-1:0] write_q, read_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
    end else begin
      if (push_i) write_q <= (write_q == AddrW'(Depth - 1)) ? '0 : write_q + 1'b1;
      if (pop_i) read_q <= (read_q == AddrW'(Depth - 1)) ? '0 : read_q + 1'b1;
    end
  end

  prim_sram #(
    .Width(Width),
    .Depth(Depth)
  ) u_entries (
    .clk_i,
    .write_i     (push_i),
    .write_addr_i(write_q),
    .write_data_i(data_i),
    .read_i      (pop_i),
    .read_addr_i (read_q),
    .read_data_o (data_o)
  );

`ifndef SYNTHESIS
  int unsigned held;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) held <= 0;
    else held <= held + 32'(push_i) - 32'(pop_i);
  end
  QueueNoOverflow: assert property (@(posedge clk_i) disable iff (!rst_ni)
      push_i |-> held < Depth || pop_i);
  QueueNoUnderflow: assert property (@(posedge clk_i) disable iff (!rst_ni) pop_i |-> held != 0);
`endif

endmodule
