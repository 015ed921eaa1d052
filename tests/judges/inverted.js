// What a mail program does in the dark with a mail that has no dark look, or of which it kept none: every colour keeps
// its hue, light becomes dark and dark light; pictures stay. Takes the style blocks away, as such programs do with the
// dark ones, but for the narrow layout.
() => {
    const kept = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
        .filter(rule => !(rule.media && rule.media.mediaText.includes('color-scheme')) && !/color-scheme/.test(rule.cssText))
        .map(rule => rule.cssText)
    document.querySelectorAll('style, meta[name*="color-scheme"]').forEach(element => element.remove())
    const style = document.createElement('style')
    style.textContent = kept.join('\n')
    document.head.append(style)
    const inverted = colour => {
        const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number)
        if (!a) return colour
        // Lightness l becomes 1 - l at the same hue and saturation: each channel moves by the same amount.
        const shift = 255 - (Math.max(r, g, b) + Math.min(r, g, b))
        return `rgb(${r + shift}, ${g + shift}, ${b + shift})`
    }
    const sides = ['Top', 'Right', 'Bottom', 'Left'].map(side => `border${side}Color`)
    const elements = [document.documentElement, ...document.querySelectorAll('body, body *')]
    const wanted = elements.map(element => {
        const computed = getComputedStyle(element)
        return ['color', 'backgroundColor', ...sides].map(name => [name, inverted(computed[name])])
    })
    elements.forEach((element, index) => wanted[index].forEach(([name, colour]) =>
        element.style.setProperty(name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`), colour, 'important')))
    document.documentElement.style.setProperty('background-color', getComputedStyle(document.body).backgroundColor, 'important')
}
