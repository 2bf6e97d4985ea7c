import { expect, it } from 'vitest';
import { readHtml } from './html.ts';

it('reads forms as a browser without JavaScript would', () => {
  const page = readHtml(`<!doctype html><html lang="de" dir="ltr"><title>A &amp; B</title><main>
    <!-- <form action="/not"> --><script>"<form action=/not>"</script>
    <form method="post" action="/a?x=1&amp;y=2" id="f">
      <input type=hidden name="csrf" value="&quot;t&quot;"><input name=email value='a > b'>
      <input type=checkbox name=remember checked><input type="checkbox" name="terms" value="yes">
      <select name=s><option value=1>One<option value=2 selected>Two</select><textarea name=t>x &lt; y</textarea>
      <input name=off disabled><button name=go value=1>Go <b>on</b></button><button type=button>Not this</button>
    </form><button form=f formaction="/b">Other</button><a href="/c">See c</a></main>`);
  expect(page).toMatchObject({ title: 'A & B', lang: 'de', links: [{ href: '/c', text: 'See c' }] });
  expect(page.forms).toHaveLength(1);
  expect(page.forms[0]).toMatchObject({ method: 'POST', action: '/a?x=1&y=2' });
  expect(page.forms[0]!.fields.map(({ name, value, checked }) => [name, value, checked])).toEqual([
    ['csrf', '"t"', false],
    ['email', 'a > b', false],
    ['remember', 'on', true],
    ['terms', 'yes', false],
    ['s', '2', false],
    ['t', 'x < y', false],
  ]);
  expect(page.forms[0]!.buttons.map(({ text, name, action }) => [text, name, action])).toEqual([
    ['Go on', 'go', undefined],
    ['Other', '', '/b'],
  ]);
});
