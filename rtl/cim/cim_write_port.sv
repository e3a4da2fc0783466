// The write port: one command, one granule per cycle onto the write bus that
// all macros share, directly or out of the transpose buffers. It holds the bus
// register, not the cells. It does not check what the macros hold or whether
// the region exists: that is the sender's business.
// Timing contract and command layout: docs/engines/cim.md.
module cim_write_port #(
  parameter int unsigned Macros     = 32,
  parameter int unsigned Rows       = 64,
  parameter int unsigned Columns    = 16,
  parameter int unsigned Bits       = 8,
  parameter int unsigned WriteBytes = 16,
  parameter int unsigned CommandW   = 62,
  parameter int unsigned Granule    = (Columns < WriteBytes) ? Columns : WriteBytes,
  parameter int unsigned Granules   = (Columns + Granule - 1) / Granule,
  parameter int unsigned MacroW     = (Macros > 1) ? $clog2(Macros) : 1,
  parameter int unsigned RowW       = (Rows > 1) ? $clog2(Rows) : 1
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    command_valid_i,
  output logic                    command_ready_o,
  input  logic [    CommandW-1:0] command_i,
  input  logic                    input_valid_i,
  output logic                    input_ready_o,
  input  logic [WriteBytes*8-1:0] input_data_i,
  output logic                    bus_valid_o,
  output logic [      MacroW-1:0] bus_macro_o,
  output logic [        RowW-1:0] bus_row_o,
  output logic [    Granules-1:0] bus_granule_o,  // One-hot.
  output logic [     Granule-1:0] bus_lanes_o,
  output logic [Granule*Bits-1:0] bus_data_o
);

  localparam int unsigned KW = ($clog2(Macros * Rows + 1) < 17) ? $clog2(Macros * Rows + 1) : 17;
  localparam int unsigned NW = $clog2(Macros * Columns + 1);
  localparam int unsigned TileW = $clog2(Columns + 1);
  localparam int unsigned StepW = (Granule > 1) ? $clog2(Granule) : 1;

  // ------------------------------------------------ command

  logic busy_q, transpose_q, done_q;
  logic [MacroW-1:0] tiles_q;  // Column tiles: macros from one row tile to the next.
  logic [KW-1:0] k_q;
  logic [MacroW-1:0] command_first;
  logic [MacroW-1:0] command_tiles;
  logic [KW-1:0] command_k;
  logic [NW-1:0] command_n;
  assign command_first = command_i[0+:MacroW];
  assign command_tiles = command_i[12+:MacroW];
  assign command_k = command_i[24+:KW];
  assign command_n = command_i[41+:NW];

  // Columns of the tile that begins with `left` columns left.
  function automatic logic [TileW-1:0] tile_width(input logic [NW-1:0] left);
    tile_width = (left < NW'(Columns)) ? left[TileW-1:0] : TileW'(Columns);
  endfunction

  logic take_command, take, put;
  assign command_ready_o = !busy_q;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;

  logic [Granule*Bits-1:0] codes;
  for (genvar lane = 0; lane < Granule; lane++) begin : gen_code
    assign codes[lane*Bits+:Bits] = input_data_i[lane*8+:Bits];
  end

  // ------------------------------------------------ transpose buffers: fill

  logic [1:0] full_q;
  logic fill_block_q, fill_done_q;
  logic [StepW-1:0] fill_step_q;
  logic [KW-1:0] fill_rows_q;  // Rows from the block's first one on.
  logic [TileW-1:0] fill_tile_q;  // Columns of the tile from the block's first one on.
  logic [NW-1:0] fill_columns_q;  // Columns behind the tile.
  logic fill, fill_block_end, fill_rows_end, fill_tile_end;
  assign fill = take && transpose_q;
  assign fill_block_end = fill_step_q == StepW'(Granule - 1) ||
                          TileW'(fill_step_q) + 1'b1 == fill_tile_q;
  assign fill_rows_end = fill_rows_q <= KW'(Granule);
  assign fill_tile_end = fill_tile_q <= TileW'(Granule);
  assign input_ready_o = busy_q &&
                         (transpose_q ? !fill_done_q && !full_q[fill_block_q] : !done_q);

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      fill_done_q <= 1'b0;
      fill_step_q <= '0;
      fill_rows_q <= command_k;
      fill_tile_q <= tile_width(command_n);
      fill_columns_q <= command_n - NW'(tile_width(command_n));
    end else if (fill) begin
      fill_step_q <= fill_step_q + 1'b1;
      if (fill_block_end) begin
        fill_step_q <= '0;
        fill_rows_q <= fill_rows_end ? k_q : fill_rows_q - KW'(Granule);
        if (fill_rows_end) begin
          fill_tile_q <= fill_tile_q - TileW'(Granule);
          if (fill_tile_end) begin
            fill_tile_q <= tile_width(fill_columns_q);
            fill_columns_q <= fill_columns_q - NW'(tile_width(fill_columns_q));
            fill_done_q <= fill_columns_q == '0;
          end
        end
      end
    end
  end

  // ------------------------------------------------ position on the bus

  logic [MacroW-1:0] base_q, macro_q;  // Of row tile 0, and of the row, in the column tile.
  logic [RowW-1:0] row_q;  // In the macro.
  logic [KW-1:0] rows_q;  // From this one on.
  logic [Granules-1:0] granule_q;
  logic [TileW-1:0] tile_q;  // Columns of the tile,
  logic [TileW-1:0] left_q;  // and those from this granule on.
  logic [NW-1:0] columns_q;  // Columns behind the tile.
  logic drain_block_q;
  logic [StepW-1:0] drain_step_q;
  logic drain, drain_block_end, last_row, last_granule;
  assign drain = busy_q && transpose_q && !done_q && full_q[drain_block_q];
  assign put = transpose_q ? drain : take;
  assign last_row = rows_q == KW'(1);
  assign last_granule = left_q <= TileW'(Granule);
  assign drain_block_end = last_row || drain_step_q == StepW'(Granule - 1);

  logic [TileW-1:0] next_tile;
  assign next_tile = tile_width(columns_q);

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      base_q <= command_first;
      macro_q <= command_first;
      row_q <= '0;
      rows_q <= command_k;
      granule_q <= Granules'(1);
      tile_q <= tile_width(command_n);
      left_q <= tile_width(command_n);
      columns_q <= command_n - NW'(tile_width(command_n));
    end else if (put) begin
      if (transpose_q || last_granule) begin
        row_q <= row_q + 1'b1;
        rows_q <= rows_q - 1'b1;
        if (row_q == RowW'(Rows - 1)) begin
          row_q <= '0;
          macro_q <= macro_q + tiles_q;
        end
        if (last_row) begin
          row_q <= '0;
          rows_q <= k_q;
          macro_q <= base_q;
        end
      end
      if (!transpose_q || last_row) begin
        granule_q <= last_granule ? Granules'(1) : granule_q << 1;
        left_q <= last_granule ? tile_q : left_q - TileW'(Granule);
      end
      if (last_row && last_granule) begin
        base_q <= base_q + 1'b1;
        macro_q <= base_q + 1'b1;
        tile_q <= next_tile;
        left_q <= next_tile;
        columns_q <= columns_q - NW'(next_tile);
      end
    end
    if (take_command) drain_step_q <= '0;
    else if (drain) drain_step_q <= drain_block_end ? '0 : drain_step_q + 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      done_q <= 1'b0;
      full_q <= '0;
      fill_block_q <= 1'b0;
      drain_block_q <= 1'b0;
    end else begin
      if (take_command) busy_q <= 1'b1;
      else if (done_q) busy_q <= 1'b0;
      done_q <= put && last_row && last_granule && columns_q == '0;
      if (fill && fill_block_end) begin
        full_q[fill_block_q] <= 1'b1;
        fill_block_q <= !fill_block_q;
      end
      if (drain && drain_block_end) begin
        full_q[drain_block_q] <= 1'b0;
        drain_block_q <= !drain_block_q;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      tiles_q <= command_tiles;
      k_q <= command_k;
      transpose_q <= command_i[61];
    end
  end

  // ------------------------------------------------ write bus

  logic [Granule*Bits-1:0] direct_q, crosswise;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) bus_valid_o <= 1'b0;
    else bus_valid_o <= put;
  end
  always_ff @(posedge clk_i) begin
    if (put) begin
      bus_macro_o <= macro_q;
      bus_row_o <= row_q;
      bus_granule_o <= granule_q;
      for (int unsigned lane = 0; lane < Granule; lane++) begin
        bus_lanes_o[lane] <= TileW'(lane) < left_q;
      end
    end
    if (take && !transpose_q) direct_q <= codes;
  end

  cim_transpose #(
    .Size(Granule),
    .Bits(Bits)
  ) u_transpose (
    .clk_i,
    .write_i      (fill),
    .write_block_i(fill_block_q),
    .write_row_i  (fill_step_q),
    .write_data_i (codes),
    .read_i       (drain),
    .read_block_i (drain_block_q),
    .read_column_i(drain_step_q),
    .read_data_o  (crosswise)
  );
  assign bus_data_o = transpose_q ? crosswise : direct_q;

`ifndef SYNTHESIS
  FillEmptyBlock: assert property (@(posedge clk_i) disable iff (!rst_ni)
      fill |-> !full_q[fill_block_q]);
  NothingLeftBehind: assert property (@(posedge clk_i) disable iff (!rst_ni)
      done_q |-> full_q == '0);
`endif

endmodule
